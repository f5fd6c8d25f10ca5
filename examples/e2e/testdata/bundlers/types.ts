import Default, { NovComet, type Callback, type Client } from "novcomet";

const shown: string[] = [];
const callback: Callback<{ text: string }> = (k, data) => { shown.push(`${k.news.toFixed()} ${data?.text}`); };
const client: Client = Default.init(new URL("https://example.com/comet.php"), { token: async () => "token" });
client.subscribe("news", callback, { data: true, signal: new AbortController().signal }).run();
const remove: () => void = NovComet.on("error", (error, seconds) => { shown.push(error.message + seconds.toFixed()); });
const connected: boolean = NovComet.client("/other.php").connected;
remove();
export { connected };
