ARG PYTHON=3.12

FROM python:$PYTHON AS packages
COPY requirements.txt /
RUN pip3 install --target=/packages -r /requirements.txt

FROM python:${PYTHON}-slim
COPY --from=packages /packages /packages
ENV PYTHONPATH=/packages
WORKDIR /bottle
COPY app.py gunicorn_conf.py /bottle/
EXPOSE 8080
USER nobody
CMD python3 -m gunicorn app:app -c gunicorn_conf.py
