package e2e_test

import (
	"fmt"
	"slices"
	"testing"
)

// promise is what novcomet.js promises to a page. The script is a promise of a string in
// testdata/pages/empty.html. A new file may get two stamps, and a recent publication counts as new, so
// scripts sleep after a first publication.
type promise struct{ name, script, want string }

var promises = []promise{
	{"a later subscription joins the others", `new Promise(async (resolve) => {
		const comet = await client(), ids = new Set();
		const add = (k) => {
			Object.keys(k).forEach((id) => ids.add(id));
			if (ids.size === 2) comet.stop(), resolve([...ids].sort().join());
		};
		await opened(comet.subscribe("sooner", add));
		comet.subscribe("later", add);
		while (ids.size < 2) await Promise.all([sleep(0.1), comet.publish("sooner"), comet.publish("later")]);
	})`, "later,sooner"},

	{"a subscription in a callback takes effect at once", `new Promise(async (resolve) => {
		const comet = await client();
		await comet.publish("inner"), await sleep(0.1);
		comet.subscribe("outer", () => {
			comet.subscribe("inner", (k) => (comet.stop(), resolve(Object.keys(k).join())));
			setTimeout(() => comet.publish("inner"), 500);
		});
		await opened(comet);
		comet.publish("outer");
	})`, "inner"},

	{"run delivers what was published since stop", `new Promise(async (resolve) => {
		const end = (k) => (comet.stop(), resolve(Object.keys(k).join()));
		const comet = (await client()).subscribe("meanwhile", end);
		await opened(comet);
		comet.stop();
		await comet.publish("meanwhile");
		comet.run();
	})`, "meanwhile"},

	{"the callbacks of one answer get the same k, each its own", `new Promise(async (resolve) => {
		const comet = await client(), ks = {};
		for (const id of ["both-a", "both-b"]) {
			await comet.publish(id);
			comet.subscribe(id, (k) => {
				ks[id] = k;
				const a = ks["both-a"], b = ks["both-b"];
				if (a && b) comet.stop(), resolve([Object.keys(a).sort(), Object.keys(b).sort(), a === b].join());
			});
		}
		await sleep(0.1);
		await opened(comet);
		comet.stop();
		await comet.publish("both-a"), await comet.publish("both-b");
		comet.run();
	})`, "both-a,both-b,both-a,both-b,false"},

	{"a callback gets whole seconds, as with comet.php's client, and last is precise", `new Promise(async (resolve) => {
		const comet = await client();
		await comet.publish("seconds"), await sleep(0.1);
		comet.subscribe("seconds", ({ seconds }) => {
			comet.stop();
			const last = comet.last("seconds");
			const whole = Number.isInteger(seconds) && seconds === Math.floor(last);
			resolve([whole, last % 1 > 0, comet.last("unknown")].join());
		});
		await opened(comet);
		comet.publish("seconds");
	})`, "true,true,"},

	{"last is known before the first callback", `(async () => {
		const comet = await client();
		await comet.publish("known"), await sleep(0.1);
		const before = (Date.now() / 1000);
		await opened(comet.subscribe("known", () => {}).subscribe("unknown", () => {}));
		comet.stop();
		return [Math.abs(before - comet.last("known")) < 60, comet.last("unknown")].join();
	})()`, "true,"},

	{"a callback that throws does not disturb others", `new Promise(async (resolve) => {
		const comet = await client();
		let calls = 0;
		comet.subscribe("thrown", () => { throw new Error("on purpose"); });
		comet.subscribe("thrown", () => {
			if (++calls === 2) comet.stop(), resolve("two calls");
			else setTimeout(() => comet.publish("thrown"), 100);
		});
		comet.on("open", () => { throw new Error("on purpose"); });
		await opened(comet);
		comet.publish("thrown");
	})`, "two calls"},

	{"unsubscribe removes one callback, or all of an event", `new Promise(async (resolve) => {
		const comet = await client(), called = new Set();
		const removed = () => called.add("removed");
		comet.subscribe("left", removed).subscribe("left", () => (comet.stop(), resolve([...called, "left"].join())));
		comet.subscribe("right", () => called.add("right"));
		comet.unsubscribe("left", removed).unsubscribe("right");
		await opened(comet);
		await comet.publish("right");
		comet.publish("left");
	})`, "left"},

	{"a second run, and a callback subscribed twice, have no effect", `new Promise(async (resolve) => {
		const comet = await client();
		let calls = 0;
		const count = () => (calls++, comet.publish("end"));
		await comet.publish("once"), await comet.publish("end"), await sleep(0.1);
		comet.subscribe("once", count).subscribe("once", count);
		comet.subscribe("end", () => (comet.stop(), resolve("calls: " + calls)));
		await opened(comet.run());
		comet.publish("once");
	})`, "calls: 1"},

	{"listeners get each open and close", `new Promise(async (resolve) => {
		const comet = await client(), states = [];
		comet.on("open", () => (states.push("open") === 3 ? comet.stop() : (comet.stop(), comet.run())));
		comet.on("close", () => states.push("close") === 4 && resolve(states.join()));
		comet.subscribe("any", () => {}).run();
	})`, "open,close,open,close"},

	{"the endpoint may have a query", `new Promise(async (resolve) => {
		const end = (k) => (comet.stop(), resolve(Object.keys(k).join()));
		const comet = (await client("/comet.php?site=7")).subscribe("asked", end);
		await opened(comet);
		comet.publish("asked");
	})`, "asked"},

	{"another endpoint takes effect at once", `new Promise(async (resolve) => {
		const end = (k) => (comet.stop(), resolve(Object.keys(k).join()));
		const comet = (await client("/nowhere.php")).subscribe("moved", end).run();
		await new Promise((lost) => comet.on("error", lost));
		comet.on("open", () => comet.publish("moved"));
		comet.init("/comet.php");
	})`, "moved"},

	{"200 events are requested by POST", `new Promise(async (resolve) => {
		const comet = await client(), ids = new Set(), methods = new Set(), original = window.fetch;
		window.fetch = (url, options) => (methods.add(options.method ?? "GET"), original(url, options));
		for (let i = 0; i < 200; i++) comet.subscribe("one-of-many-" + i, (k) => {
			Object.keys(k).forEach((id) => ids.add(id));
			if (ids.size === 200) comet.stop(), window.fetch = original, resolve("all, by " + [...methods]);
		});
		await opened(comet);
		for (let i = 0; i < 200; i++) await comet.publish("one-of-many-" + i);
	})`, "all, by POST"},

	// The callback returns after the publication, and the next poll is sent only then.
	{"a publication between two polls is delivered", `new Promise(async (resolve) => {
		const comet = await client();
		let calls = 0;
		await comet.publish("between"), await sleep(0.1);
		comet.subscribe("between", () => {
			if (++calls === 3) return comet.stop(), resolve("three calls");
			const request = new XMLHttpRequest();
			request.open("GET", "/comet.php?publish=between", false);
			request.send();
		});
		await opened(comet);
		comet.publish("between");
	})`, "three calls"},

	{"two clients of a page both get an event", `new Promise(async (resolve) => {
		const one = await client(), two = await client(), got = [];
		const end = (comet, name) => () => (comet.stop(), got.push(name) === 2 && resolve(got.sort().join()));
		await opened(one.subscribe("shared", end(one, "one")));
		await opened(two.subscribe("shared", end(two, "two")));
		one.publish("shared");
	})`, "one,two"},

	{"stop aborts the requests", `(async () => {
		const comet = await client(), signals = [], original = window.fetch;
		window.fetch = (url, options) => (signals.push(options.signal), original(url, options));
		comet.subscribe("stopped", () => {});
		await opened(comet);
		comet.stop();
		await sleep(0.1);
		window.fetch = original;
		return [signals.length > 0, signals.every((signal) => signal.aborted)].join();
	})()`, "true,true"},

	{"a client without subscriptions sends no request until the next subscription", `(async () => {
		const comet = await client(), signals = [], original = window.fetch;
		window.fetch = (url, options) => (signals.push(options.signal), original(url, options));
		await opened(comet.subscribe("kept-up", () => {}).subscribe("given-up", () => {}));
		await sleep(0.1);
		const allAborted = () => signals.every((signal) => signal.aborted);
		comet.unsubscribe("kept-up");
		await sleep(0.1);
		const results = [allAborted()];
		comet.unsubscribe("given-up");
		await sleep(1.2);
		const before = signals.length;
		results.push(allAborted());
		await sleep(0.5);
		results.push(signals.length === before);
		window.fetch = original;
		let called = false;
		comet.subscribe("given-up", () => { called = true; });
		while (!called) await comet.publish("given-up"), await sleep(0.1);
		return comet.stop(), results.join();
	})()`, "false,true,true"},

	{"a client without subscriptions sends the requests of others, also of later ones", `(async () => {
		const one = await client(), two = await client(), got = [];
		await opened(one.subscribe("handed-on", () => {}));
		await opened(two.subscribe("handed-on", () => got.push("shared")));
		one.unsubscribe("handed-on");
		while (!got.length) await one.publish("handed-on"), await sleep(0.1);
		one.stop(), two.stop();

		const three = await client(), four = await client();
		await opened(three.subscribe("taken-up", () => {}));
		await opened(four);
		three.unsubscribe("taken-up");
		await sleep(1.2);
		four.subscribe("taken-up", () => got.push("later"));
		while (got.at(-1) !== "later") await three.publish("taken-up"), await sleep(0.1);
		return three.stop(), four.stop(), [...new Set(got)].join();
	})()`, "shared,later"},
}

func TestClient_KeepsPromises(t *testing.T) {
	forEachBrowser(t, func(t *testing.T, browser browser) {
		for name, query := range map[string]string{"by stream": "", "by polls": "?polls"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := openWindow(t, browser, startPages(t).URL+"/empty.html"+query)
				for _, promise := range slices.Concat(promises, apiPromises, dataPromises) {
					t.Run(promise.name, func(t *testing.T) {
						if got := evaluate[string](t, w, promise.script); got != promise.want {
							t.Errorf("got %q, want %q", got, promise.want)
						}
					})
				}
			})
		}
	}, chromium, firefox, webKit)
}

func TestClient_AcceptsEveryID(t *testing.T) {
	site := startPages(t)
	w := openWindow(t, startBrowser(t), site.URL+"/empty.html")
	for _, id := range []string{
		"a&b=c", "50% + 1; #1?", "x[y", "Grüße, 世界", `"'<b>`, "constructor", "__proto__", "7",
	} {
		t.Run(id, func(t *testing.T) {
			got := evaluate[string](t, w, fmt.Sprintf(`new Promise(async (resolve) => {
				const comet = await client(), id = %q;
				await comet.publish(id), await sleep(0.1);
				comet.subscribe(id, (k, data) => {
					if (!data) return;
					comet.stop();
					resolve(Object.keys(k) + " at " + k[id] + " " + comet.last(id).toFixed(6) + " " + data);
				}, { data: true });
				await opened(comet);
				comet.publish(id, "data");
			})`, id))
			stamp := stampOf(t, site, id)
			if want := id + " at " + stamp[:len(stamp)-len(".000000")] + " " + stamp + " data"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
