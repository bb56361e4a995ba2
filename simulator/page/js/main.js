// The page: one stream of what happens, three places that show it.

import { post } from "./api.js";
import { Desk } from "./desk.js";
import { byId, set, write } from "./dom.js";
import { Faults } from "./faults.js";
import { Phone } from "./phone.js";
import { Stream } from "./stream.js";
import { Wire } from "./wire.js";

const stream = new Stream("/sim/stream?bodies=1");

const phone = new Phone(stream);
const desk = new Desk(stream, phone);
new Wire(stream, desk);
new Faults(stream);

stream.on("state", (state) => {
  set(byId("live"), { "data-state": state });
  write(byId("live"), state === "live" ? "Live" : "Reconnecting…");
  complain(state === "live" ? "" : "The connection to the simulator is lost. This page comes back by itself as soon as it answers.");
});

stream.on("hello", ({ temporalUi }) => set(byId("temporal-ui"), { hidden: !temporalUi, href: temporalUi || null }));

byId("reset").addEventListener("click", () => post("/sim/reset").then(() => complain(""), (err) => complain(err.message)));

function complain(text) {
  write(byId("page-error"), text);
  set(byId("page-error"), { hidden: !text });
}

stream.open();
