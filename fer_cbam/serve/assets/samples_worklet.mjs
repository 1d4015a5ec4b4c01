// What a microphone gives, block by block, to the page. Runs in the browser's thread for sound.

/* global AudioWorkletProcessor, registerProcessor */
class Samples extends AudioWorkletProcessor {
  process([channels]) {
    if (channels.length) this.port.postMessage(channels[0].slice());
    return true;
  }
}

registerProcessor("samples", Samples);
