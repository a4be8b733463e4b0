"""A BullMQ worker in Python. It knows nothing about MCP: it takes jobs from the queue "statistics"."""

import asyncio
import os
import signal
import statistics

from bullmq import Worker


async def describe(job, token):
    numbers = job.data["numbers"]
    if not numbers:
        raise ValueError("there are no numbers to describe")
    await job.updateProgress(10)
    await asyncio.sleep(0.5)  # Stands for real work.
    await job.updateProgress({"progress": 50, "message": f"sorting {len(numbers)} numbers"})
    await asyncio.sleep(0.5)
    return {"mean": statistics.fmean(numbers), "median": statistics.median(numbers)}


async def main():
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    worker = Worker(
        "statistics",
        describe,
        {"connection": os.environ.get("REDIS_URL", "redis://localhost:6379")},
    )
    await stop.wait()
    await worker.close()


asyncio.run(main())
