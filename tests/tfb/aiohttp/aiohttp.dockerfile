FROM python:3.12

WORKDIR /aiohttp
COPY requirements.txt .
RUN pip3 install -r requirements.txt
COPY . .

EXPOSE 8080
CMD gunicorn app:main -c gunicorn_conf.py
