ARG VARIANT=slim
ARG IMAGE=python:3.12${VARIANT:+-$VARIANT}
FROM $IMAGE

WORKDIR wsgi
COPY requirements.txt .
RUN pip3 install -r requirements.txt
COPY . .

EXPOSE 8080
CMD gunicorn app:app --bind 0.0.0.0:8080 --workers $(nproc)
