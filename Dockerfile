# The app without torch: the network runs on ONNX Runtime, the image is a fraction of the size.
#   docker build -t fer-cbam . && docker run --rm -p 7860:7860 fer-cbam
FROM python:3.11-slim

# The user id that Hugging Face Spaces run containers under.
RUN useradd --create-home --uid 1000 app
WORKDIR /home/app/fer-cbam
COPY --chown=1000 . .
RUN pip install --no-cache-dir --editable '.[app-onnx]'

USER 1000
ENV GRADIO_SERVER_NAME=0.0.0.0
EXPOSE 7860
HEALTHCHECK --interval=30s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/healthz', timeout=5)"]
ENTRYPOINT ["python", "app.py", "--backend", "onnx", "--port", "7860"]
