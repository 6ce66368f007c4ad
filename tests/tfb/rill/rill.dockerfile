FROM python:3.12-slim

WORKDIR /rill

COPY server.py ./

EXPOSE 8080

CMD ["python3", "-c", "raise SystemExit('docker_cmd says how to start it')"]
