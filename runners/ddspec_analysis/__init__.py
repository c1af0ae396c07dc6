"""Statistics, figures and exports of results: what runs beside who asks, and in no job.

A package of its own, so that the digest of the runners' source, and with it every image and stored
output, stays when a figure gets another colour. Needs numpy, scipy, matplotlib and pyarrow (the
extra `ddspec[report]`), never torch. `ddspec` asks it as a process, `python -m ddspec_analysis
TOOL`, which reads a question as JSON and writes an answer as JSON.
"""
