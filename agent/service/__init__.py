"""A service for many people at once, without any protocol: conversations, jobs, one fair queue, one worker.

`service` is what a face holds. Below it: `shelf` keeps whose conversation is whose and the files beside the workspace,
`jobs` keeps the queue in SQLite, `fair` orders it, `worker` does one job after the other, `bench` knows what a job
does, `rates` and `keys` keep clients from asking too much or twice.
"""
