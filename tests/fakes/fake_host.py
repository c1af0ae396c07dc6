"""A `ddspec run` without a command line; exits as it does.

Called as `fake_host.py HOME SCRIPT.json LOG PLAN JOBS`; prints the state of each stage as JSON.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_plans import PLANS, executor_of

from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.store.store import open_store

_, home, script, log, plan, jobs = sys.argv
store = open_store(Path(home))
outcome = run_plan(
    PLANS[plan](),
    store,
    executor_of(store, Path(script), Path(log)),
    sink=lambda event: print(event, file=sys.stderr, flush=True),
    orders=Orders(jobs=int(jobs), poll_s=0.01, pause_s=0.02),
)
print(json.dumps({stage.label: stage.state for stage in outcome.stages}))
sys.exit(outcome.exit)
