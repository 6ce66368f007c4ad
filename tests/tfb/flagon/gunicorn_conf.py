import multiprocessing

bind = "0.0.0.0:8080"
workers = multiprocessing.cpu_count()
worker_class = "gthread"
threads = 8
worker_connections = 2000
keepalive = 120
errorlog = "-"
