// As much of a document as the page's modules need to be tested without a browser.

class Node {
  constructor(tag) {
    Object.assign(this, { tag, attributes: {}, children: [], style: {}, dataset: {} });
    const classes = (this.classes = new Set());
    this.classList = {
      toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)),
      contains: (name) => classes.has(name),
    };
  }

  set className(names) {
    names.split(" ").forEach((name) => this.classes.add(name));
  }

  set textContent(text) {
    this.children = text === undefined ? [] : [text];
  }

  get textContent() {
    return this.children.map((child) => child.textContent ?? child).join("");
  }

  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }

  getAttribute(name) {
    return this.attributes[name] ?? null;
  }

  append(...children) {
    for (const child of children) if (child instanceof Node) child.parent = this;
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.children = [];
    this.append(...children);
  }

  remove() {
    this.parent.children = this.parent.children.filter((child) => child !== this);
  }

  // All below this one, in order.
  *below() {
    for (const child of this.children) {
      if (!(child instanceof Node)) continue;
      yield child;
      yield* child.below();
    }
  }

  all(tag) {
    return [...this.below()].filter((node) => node.tag === tag);
  }

  // Knows ".name" only.
  querySelector(selector) {
    return [...this.below()].find((node) => node.classes.has(selector.slice(1))) ?? null;
  }

  // A canvas on which each letter is half as wide as it is high.
  getContext() {
    const size = () => Number(this.font.match(/([\d.]+)px/)[1]);
    return { set font(value) { this.of.font = value; }, of: this,
      measureText: (text) => ({ width: (text.length * size()) / 2 }) };
  }
}

export const element = (tag = "div") => new Node(tag);

globalThis.navigator ??= {}; // node has one from version 21 on
globalThis.document = { createElement: element, createElementNS: (_, tag) => element(tag) };
