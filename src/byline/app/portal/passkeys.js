// The portal's one script. It asks the browser for a passkey and sends what the browser answers with the form.
// Without it, or without passkeys in the browser, signing in by mail works as ever.
"use strict";

const BROKEN = {
  NotAllowedError: "Nothing was chosen, or it took too long. Press the button to try again.",
  InvalidStateError: "This device has a passkey for this page already.",
  SecurityError: "This address of the page cannot have passkeys. Use the link by mail.",
};

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));

const text = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (each) => String.fromCharCode(each)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const named = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

const asked = (options) => ({
  ...options,
  challenge: bytes(options.challenge),
  ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
  ...(options.excludeCredentials && { excludeCredentials: named(options.excludeCredentials) }),
  ...(options.allowCredentials && { allowCredentials: named(options.allowCredentials) }),
});

const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

const answered = (credential) => {
  const response = {};
  for (const part of PARTS) if (credential.response[part]) response[part] = text(credential.response[part]);
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
};

const prepare = (form) => {
  const status = form.querySelector("[role=status]");
  form.hidden = false;
  window.addEventListener("pageshow", () => { form.elements.credential.value = ""; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const publicKey = asked(JSON.parse(form.dataset.options));
    status.textContent = "Your device asks you now.";
    try {
      const credential = await (publicKey.user
        ? navigator.credentials.create({ publicKey })
        : navigator.credentials.get({ publicKey }));
      form.elements.seal.value = form.dataset.seal;
      form.elements.credential.value = answered(credential);
      form.submit();
    } catch (fault) {
      status.textContent = BROKEN[fault.name] || "That did not work. Use the link by mail.";
    }
  });
};

const able = Boolean(window.PublicKeyCredential && navigator.credentials);
for (const form of document.querySelectorAll("form[data-options]")) if (able) prepare(form);
for (const note of document.querySelectorAll("[data-without-passkeys]")) note.hidden = able;
