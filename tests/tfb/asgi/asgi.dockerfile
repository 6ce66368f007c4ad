FROM python:3.12

ADD ./ /asgi

WORKDIR /asgi

RUN pip3 install -r requirements.txt

EXPOSE 9080

CMD uvicorn app:app --host 0.0.0.0 --port 9080 --workers $(nproc) --log-level error
