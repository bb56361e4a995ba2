// Which of the answers offered on a phone can still be taken, and which were.

const MOST = 5; // cards whose buttons still work; Parley remembers as many

/** offers looks at a thread and returns what the bubbles ask about its messages. */
export function offers(list) {
  const all = list.filter((m) => m.direction === "out" && m.choices?.length);
  const last = all[all.length - 1];
  const answered = last && list.slice(list.indexOf(last) + 1).some((m) => m.direction === "in");
  const recent = new Set(all.slice(-MOST));
  return {
    /** The newest offer, as long as nothing was said. */
    choosable: (m) => m === last && !answered,
    /** A card's buttons stay. */
    pressable: (m) => recent.has(m),
    taken: (m) => {
      if (!m.choices?.length) return [];
      const titles = new Set(m.choices.map((c) => c.title));
      return list.slice(list.indexOf(m) + 1).filter((x) => x.direction === "in" && x.kind === "choice" && titles.has(x.text)).map((x) => x.text);
    },
  };
}
