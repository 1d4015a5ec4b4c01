// What is said of an answer, in the words of fer_cbam/words/phrases.py, which settings.json brings:
// the same decisions as in words/sentences.py and words/verdicts.py.

import { percent } from "./text.mjs";

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

export class Words {
  // settings: phrases, sure ([least confidence, phrase], the largest first), plural, region_names,
  // and facs (label -> words and regions).
  constructor(settings) {
    Object.assign(this, settings);
  }

  phrase(key, filled = {}) {
    return this.phrases[key].replace(/\{(\w+)\}/g, (_, name) => filled[name]);
  }

  // One sentence: the region that the answer rests on, how sure the model is, what comes second.
  // losses: {least: region -> loss, decisive} of the label; null where the face has no regions.
  explanation(face, label, losses) {
    if (face.no_face) return this.phrase("not_a_face");
    const region = losses?.decisive ?? null;
    const found = capital(this.#found(face.probs[label], label, region, losses));
    if (label !== face.label) {
      const chance = region ? "" : this.phrase("chance", { chance: percent(face.probs[label]) });
      return this.phrase("other", { found, chance, label: face.label });
    }
    const confidence = this.confidence(face);
    return this.phrase("own", { found, confidence, second: this.secondChoice(face) });
  }

  #found(chance, label, region, losses) {
    if (!region) return this.phrase("no_region", { label });
    return this.phrase("region", {
      label,
      region: this.region_names[region] ?? region,
      actions: this.actions(label, region),
      them: this.plural.includes(region) ? "them" : "it",
      chance: percent(chance),
      left: percent(Math.max(0, chance - losses.least[region])),
    });
  }

  // What the Facial Action Coding System ties to the emotion, where that is in the region.
  actions(label, region) {
    const known = this.facs[label];
    return known?.regions.includes(region) ? this.phrase("actions", known) : "";
  }

  confidence({ confidence, uncertain }) {
    const sure = this.sure.find(([least]) => confidence >= least)?.[1] ?? "torn";
    return this.phrase(uncertain ? "guess" : sure, { chance: percent(confidence) });
  }

  secondChoice({ probs, label: said, confidence }) {
    const others = Object.entries(probs).filter(([label]) => label !== said);
    if (!others.length) return "";
    others.sort(([a, p], [b, q]) => q - p || (a < b ? -1 : 1));
    const [label, prob] = others[0];
    const kind = prob > confidence ? "more_probable" : "second";
    return this.phrase(kind, { label, chance: percent(prob) });
  }

  // Why nothing is said, or why less than the most probable is; empty where neither holds.
  note({ no_face: noFace, probs, label, confidence }) {
    if (noFace) return this.phrase("unnamed");
    const [most, prob] = Object.entries(probs).reduce((a, b) => (b[1] > a[1] ? b : a));
    if (prob <= confidence) return "";
    return this.phrase("lifted", { most: capital(most), chance: percent(prob), label });
  }

  cautions(kinds) {
    return kinds.map((kind) => this.phrase(kind));
  }

  // The line under the live picture. kinds: cautions of the largest face; uncertain: of its answer.
  liveMessage(count, kinds, uncertain) {
    if (!count) return this.phrase("live_none");
    const parts = count > 1 ? [this.phrase("live_several", { count })] : [];
    if (kinds.length) parts.push(this.phrase(`live_${kinds[0]}`));
    else if (uncertain) parts.push(this.phrase("live_uncertain"));
    return parts.join(" ");
  }

  photoMessage(found, shown) {
    if (!found) return this.phrase("found_none");
    if (found > shown) return this.phrase("found_many", { found, shown });
    return this.phrase(found === 1 ? "found_one" : "found_several", { found });
  }
}
