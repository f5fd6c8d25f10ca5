package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// dataPromises are the promises about data. TestClient_KeepsPromises tests them.
var dataPromises = []promise{
	{"data arrives as it was published", `(async () => {
		const comet = await client();
		const values = [{ a: [1, null] }, "text", "42", 42, "", null, false, "ü", "x".repeat(50000),
			"</script>\u2028\n\n: x\r\ndata: 1"];
		let receive;
		comet.subscribe("values", (k, data) => receive?.(data), { data: true });
		await opened(comet);
		for (const value of values) {
			const received = new Promise((resolve) => { receive = resolve; });
			await comet.publish("values", value);
			const got = JSON.stringify(await received), want = JSON.stringify(value);
			if (got !== want) return "got " + got + " for " + want;
		}
		return comet.stop(), "all";
	})()`, "all"},

	{"each callback and client gets data of its own", `new Promise(async (resolve) => {
		const one = await client(), two = await client(), got = [];
		const spoil = (k, data) => {
			got.push(JSON.stringify(data) + Object.keys(k));
			data.pop();
			data.push(document.body, () => {});
			delete k.list;
		};
		await one.publish("list", [1, 2]), await sleep(0.1);
		one.subscribe("list", spoil, { data: true }).subscribe("list", (k, data) => spoil(k, data), { data: true });
		await opened(one), await sleep(0.1);
		const end = (k, data) => (spoil(k, data), one.stop(), two.stop(), resolve(got.join()));
		two.subscribe("list", end, { data: true }).run();
	})`, "[1,2]list,[1,2]list,[1,2]list"},

	{"publishing without data keeps the data", `new Promise(async (resolve) => {
		const comet = await client(), got = [];
		await comet.publish("kept", { a: 1 }), await sleep(0.1);
		comet.subscribe("kept", (k, data) => {
			if (got.push(JSON.stringify(data)) === 2) comet.stop(), resolve(got.join());
		}, { data: true });
		await opened(comet);
		comet.publish("kept");
	})`, `{"a":1},{"a":1}`},

	{"a first subscription with data begins with the last publication, others do not", `new Promise(async (resolve) => {
		const comet = await client(), got = [];
		await comet.publish("state", "old"), await comet.publish("bare"), await sleep(0.1);
		const add = (name) => (k, data) => {
			got.push([name, data, Object.keys(k)].join(" "));
			if (got.length === 2) comet.publish("state", "new");
			if (got.length === 4) comet.stop(), resolve(got.join());
		};
		comet.subscribe("state", add("data"), { data: true }).subscribe("state", add("time"));
		comet.subscribe("bare", add("bare"), { data: true }).subscribe("never", add("never"), { data: true });
		await opened(comet);
	})`, "data old state,bare,bare  state,bare,data new state,time  state"},

	{"a later client gets the data from the leader, which does not want it", `new Promise(async (resolve) => {
		const one = await client(), two = await client(), got = [];
		await one.publish("before", 1), await sleep(0.1);
		await opened(one.subscribe("before", (k, data) => got.push("one " + data)).subscribe("own", () => {}));
		two.subscribe("before", (k, data) => {
			got.push("two " + data);
			if (data === 1) return one.publish("before", 2);
			one.stop(), two.stop(), resolve(got.join());
		}, { data: true }).run();
	})`, "two 1,one undefined,two 2"},

	{"a later subscription with data begins with the last publication", `new Promise(async (resolve) => {
		const comet = await client();
		await comet.publish("twice", "old"), await sleep(0.1);
		let bare = 0;
		await opened(comet.subscribe("twice", () => bare++));
		comet.subscribe("twice", (k, data) => (comet.stop(), resolve(data + " " + bare)), { data: true });
	})`, "old 0"},

	{"a second client gets known data although the server does not answer", `new Promise(async (resolve) => {
		const one = await client(), two = await client(), bare = () => {}, original = window.fetch;
		await one.publish("known-data", "known"), await sleep(0.1);
		await new Promise((called) => {
			one.subscribe("known-data", called, { data: true }).subscribe("no-data", bare, { data: true }).run();
		});
		const end = (word) => (one.stop(), two.stop(), window.fetch = original, resolve(word));
		window.fetch = () => new Promise(() => {});
		sleep(10).then(() => end("too late"));
		let data;
		two.subscribe("known-data", (k, value) => { data = value; }, { data: true });
		two.subscribe("no-data", bare, { data: true });
		await opened(two);
		end(data);
	})`, "known"},

	{"data is not older than its stamp", `new Promise(async (resolve) => {
		const comet = await client();
		const publish = (value) => Promise.all([
			new Promise((called) => comet.subscribe("aged", called)),
			comet.publish("aged", value).then(() => sleep(0.1)),
		]);
		const first = () => {};
		comet.subscribe("aged", first, { data: true }).subscribe("aged", () => {});
		await opened(comet);
		comet.unsubscribe("aged", first);
		for (const value of [1, 2, 3]) await publish(value);
		comet.subscribe("aged", (k, data) => (comet.stop(), resolve("" + data)), { data: true });
	})`, "3"},

	{"run delivers the last data that was published since stop", `new Promise(async (resolve) => {
		const comet = await client(), got = [];
		const end = (k, data) => got.push(data) === 1 && (comet.stop(), resolve(got.join()));
		comet.subscribe("away", end, { data: true });
		await opened(comet);
		comet.stop();
		await comet.publish("away", "first"), await comet.publish("away", "last");
		comet.run();
	})`, "last"},
}

// Browsers cannot clone such data, so it could not be sent from tab to tab.
func TestClient_DeliversDataThatIsNestedDeep(t *testing.T) {
	const depth = 4000
	server := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") != "0" {
			waitForClientToLeave(r)
			return
		}
		data := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		fmt.Fprintf(w, `{"s":1,"k":{"deep":1.000000},"d":{"deep":%s},"at":{"deep":"1.000000"}}`, data)
	})
	forEachBrowser(t, func(t *testing.T, browser browser) {
		first := openPrivate(t, browser, server.URL+"/tab.html?data=deep&polls=1")
		first.waitUntil(t, `states.at(-1) === "open"`)
		for _, tab := range []*window{first, first.openTab(t, server.URL+"/tab.html?data=deep&polls=1")} {
			tab.waitUntil(t, `(() => { let n = 0; for (let d = data.deep; d; d = d[0]) n++; return n === 4000; })()`)
			wantNoError(t, tab)
		}
	}, chromium, firefox)
}
