// An emergency is heard, and seen in the title of the tab; without a script the banner stands all the same.
"use strict";

(() => {
  const MUTED = "alarm-muted";
  const RANG = "alarm-rang";
  const EVERY = 15000;
  const title = document.title;
  const ticker = new Worker(document.currentScript.dataset.ticker);
  let sound = null;
  let before = new Set();

  const alarm = () => document.getElementById("alarm");
  const ringing = () => new Set((alarm()?.dataset.ringing || "").split(" ").filter(Boolean));
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows */ } };
  const isMuted = () => kept(MUTED) === "yes";

  // Browsers let a page be heard only after somebody has used it.
  function unlock() {
    sound ??= new AudioContext();
    sound.resume().then(show);
  }
  addEventListener("pointerdown", unlock, { capture: true });
  addEventListener("keydown", unlock, { capture: true });

  function tone(pitch, at) {
    const voice = sound.createOscillator();
    const volume = sound.createGain();
    voice.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.4, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
    voice.connect(volume).connect(sound.destination);
    voice.start(at);
    voice.stop(at + 0.4);
  }

  // One tab rings for all of them.
  function ring(isNew) {
    if (isMuted() || sound?.state !== "running") return;
    if (Date.now() - Number(kept(RANG)) < (isNew ? 1000 : EVERY)) return;
    keep(RANG, String(Date.now()));
    [880, 660, 880].forEach((pitch, place) => tone(pitch, sound.currentTime + place * 0.3));
  }

  function show() {
    const count = Number(alarm()?.dataset.emergencies || 0);
    document.title = count ? `(!) ${count} · ${title}` : title;
    const mute = alarm()?.querySelector("[data-mute]");
    if (!mute) return;
    mute.hidden = false;
    mute.setAttribute("aria-pressed", String(isMuted()));
    mute.textContent = isMuted() ? "Sound on" : "Sound off";
    alarm().querySelector("[data-silent]").hidden = isMuted() || sound?.state === "running";
  }

  function look() {
    const now = ringing();
    const isNew = [...now].some((id) => !before.has(id));
    before = now;
    show();
    if (now.size) ring(isNew);
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-mute]")) return;
    keep(MUTED, isMuted() ? "no" : "yes");
    show();
  });
  document.addEventListener("htmx:afterSwap", look);
  addEventListener("storage", show);
  // A desk works in another tab for most of the day: an alarm behind it has to be heard as well.
  ticker.addEventListener("message", () => {
    if (document.hidden && alarm()) htmx.trigger(alarm(), "tick");
    if (ringing().size) ring(false);
  });
  look();
})();
