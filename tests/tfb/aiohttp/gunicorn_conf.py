import multiprocessing

bind = "0.0.0.0:8080"
workers = multiprocessing.cpu_count()
worker_class = "aiohttp.GunicornUVLoopWebWorker"
keepalive = 120
errorlog = "-"
