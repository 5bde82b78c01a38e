// The images of the conversation, one tab each; arrow keys go from one to the next.

export class Strip {
  constructor(element, urlOf, choose) {
    Object.assign(this, { element, urlOf, choose, studies: [] });
    element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const tabs = [...element.children], at = tabs.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      const next = tabs[(at + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  }

  show(studies, current) {
    this.element.hidden = studies.length < 2;
    const known = studies.map((study) => study.handle).join() === this.studies.join();
    if (!known) {
      this.studies = studies.map((study) => study.handle);
      this.element.replaceChildren(...studies.map((study) => this.tab(study)));
    }
    [...this.element.children].forEach((tab, index) => {
      const chosen = studies[index].handle === current;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    });
  }

  tab(study) {
    const tab = document.createElement("button"), picture = document.createElement("img");
    tab.type = "button";
    tab.role = "tab";
    tab.setAttribute("aria-controls", "ov-stage");
    picture.src = this.urlOf(study.handle);
    picture.alt = "";
    picture.decoding = "async";
    const name = document.createElement("span");
    name.textContent = study.label;
    tab.title = study.facts;
    tab.append(picture, name);
    tab.addEventListener("click", () => this.choose(study.handle));
    return tab;
  }
}
