// Tabs, as WAI-ARIA has them (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/): arrows go from one
// to the next, and the panel of the chosen one is shown.

// list: the element with role "tablist". opened: called with the name of a tab whenever it is.
export function startTabs(list, opened) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];

  function open(tab) {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", chosen);
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    opened(tab.dataset.tab);
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) open(tab);
  });
  list.addEventListener("keydown", ({ key }) => {
    const at = tabs.indexOf(document.activeElement);
    const last = tabs.length - 1;
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[key];
    if (at < 0 || next === undefined) return;
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.focus();
    open(tab);
  });
}
