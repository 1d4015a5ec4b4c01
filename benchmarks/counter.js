// Put into a page before its own scripts. Reads the number in the camera's own picture and in the
// picture that the page shows, and notes when each was first seen: window.counter.
(() => {
  const [CELLS, SIDE, ROW] = [12, 24, 440]; // as benchmarks/app.py draws them into 640x480
  const strip = document.createElement("canvas");
  [strip.width, strip.height] = [CELLS + 2, 1];
  const pen = strip.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingEnabled = false;

  // The middle of each cell, in one drawing, so that looking costs little: a white one, the bits, a
  // black one; of a mirrored picture from right to left. null where it cannot be read.
  function read(source, width, height, mirrored) {
    if (!width || !height) return null;
    const [x, y] = [width / 640, height / 480];
    const wide = SIDE * (CELLS + 2);
    const left = mirrored ? 640 - wide : 0;
    pen.drawImage(source, left * x, (ROW + 8) * y, wide * x, 8 * y, 0, 0, CELLS + 2, 1);
    const { data } = pen.getImageData(0, 0, CELLS + 2, 1);
    const bits = Array.from({ length: CELLS + 2 }, (_, i) => data[4 * i + 1] > 128);
    if (mirrored) bits.reverse();
    if (!bits[0] || bits[CELLS + 1]) return null;
    return bits.slice(1, -1).reduce((number, bit) => 2 * number + bit, 0);
  }

  const counter = { camera: [], shown: [], read };
  window.counter = counter;

  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await open(wanted);
    if (!counter.video) watchCamera(stream.clone());
    return stream;
  };

  function watchCamera(stream) {
    const video = document.createElement("video");
    counter.video = video;
    video.muted = true;
    video.srcObject = stream;
    const note = (now) => {
      const number = read(video, video.videoWidth, video.videoHeight, false);
      if (number !== null) counter.camera.push([number, now]);
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
    video.play();
  }

  counter.watch = (selector, mirrored) => {
    let last = null;
    const look = () => {
      const source = document.querySelector(selector);
      const number = source && read(source, source.naturalWidth ?? source.width, source.naturalHeight ?? source.height, mirrored);
      if (number !== null && number !== undefined && number !== last) {
        last = number;
        counter.shown.push([number, performance.now()]);
      }
      requestAnimationFrame(look);
    };
    look();
  };
})();
