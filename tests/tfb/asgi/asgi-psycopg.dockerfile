FROM python:3.12

ARG TFB_TEST_NAME
ARG TFB_TEST_DATABASE

ADD ./ /asgi

WORKDIR /asgi

RUN pip3 install -r requirements.txt

ENV APPLICATION=${TFB_TEST_DATABASE}_${TFB_TEST_NAME}

EXPOSE 9080

CMD uvicorn $(echo $APPLICATION | tr - _):app --host 0.0.0.0 --port 9080 --workers $(nproc) --log-level error
