#!/usr/bin/env python3
"""procrastinate_claims.py URL: how many empty jobs a second procrastinate's own worker takes and finishes, at 1 and at 8 at a time."""

import asyncio
import sys
import time

import procrastinate
import psycopg

JOBS = 3000
server = sys.argv[1]


async def main():
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("drop database if exists ct_procrastinate with (force)")
        admin.execute("create database ct_procrastinate")
    url = server.rsplit("/", 1)[0] + "/ct_procrastinate"
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, max_size=20))
    done = 0

    @app.task(queue="ocr")
    async def nothing():
        nonlocal done
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for concurrency in (1, 8):
            done = 0
            await nothing.batch_defer_async(*[{} for _ in range(JOBS)])
            begun = time.monotonic()
            await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
            print(f"procrastinate {procrastinate.__version__ if hasattr(procrastinate, '__version__') else ''}, its worker with an empty task, {concurrency} at a time: "
                  f"{done / (time.monotonic() - begun):.0f} jobs/s ({done} of {JOBS})")

asyncio.run(main())
