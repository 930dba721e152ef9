(() => {
  const live = () => document.getElementById("live");
  const chat = document.body.classList.contains("chat");
  const toEnd = () => chat && scrollTo(0, document.documentElement.scrollHeight);
  const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
  let seen = null;

  async function refresh() {
    if (document.hidden) return;
    const answer = await fetch(location.href, { cache: "no-cache" });
    const tag = answer.headers.get("ETag");
    if (!answer.ok || tag === seen) return;
    seen = tag;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (fresh.innerHTML === live().innerHTML) return;
    const follow = atEnd();
    const before = live().querySelectorAll(".message").length;
    live().replaceChildren(...fresh.childNodes);
    live().querySelectorAll(".message").forEach((message, at) => message.classList.toggle("fresh", at >= before));
    if (follow) toEnd();
  }

  const again = () => refresh().catch(() => {}).finally(() => setTimeout(again, 1500));
  addEventListener("load", toEnd);
  document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
  again();
})();
