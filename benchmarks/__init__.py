"""Measurements of the main job; `python -m benchmarks.main_job` prints them. Not part of the wheel."""
