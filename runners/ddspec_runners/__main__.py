"""`python -m ddspec_runners`: realise one job."""

from ddspec_runners.entry import main

if __name__ == "__main__":
    raise SystemExit(main())
