package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

// promises are what novcomet.js promises to a page of one's own. Each script is a promise of a string. What makes a
// file may give it two stamps, and what was published a moment ago counts as new: hence soon(0.1) after a first publication.
var promises = []struct{ name, script, want string }{
	{"an event subscribed to later joins the others", `new Promise(async (resolve) => {
		const comet = await client(), told = new Set();
		const tell = (k) => (Object.keys(k).forEach((id) => told.add(id)), told.size === 2 && (comet.stop(), resolve([...told].sort().join())));
		await opened(comet.subscribe("sooner", tell));
		comet.subscribe("later", tell);
		while (told.size < 2) await Promise.all([soon(0.1), comet.publish("sooner"), comet.publish("later")]);
	})`, "later,sooner"},

	{"subscribing in a callback takes effect at once", `new Promise(async (resolve) => {
		const comet = await client();
		await comet.publish("inner"), await soon(0.1);
		comet.subscribe("outer", () => {
			comet.subscribe("inner", (k) => (comet.stop(), resolve(Object.keys(k).join())));
			setTimeout(() => comet.publish("inner"), 500);
		});
		await opened(comet);
		comet.publish("outer");
	})`, "inner"},

	{"what is published while stopped is told after the next run", `new Promise(async (resolve) => {
		const comet = (await client()).subscribe("meanwhile", (k) => (comet.stop(), resolve(Object.keys(k).join())));
		await opened(comet);
		comet.stop();
		await comet.publish("meanwhile");
		comet.run();
	})`, "meanwhile"},

	{"events of one answer come in one k, each to its own callback", `new Promise(async (resolve) => {
		const comet = await client(), ks = {};
		for (const id of ["both-a", "both-b"]) {
			await comet.publish(id);
			comet.subscribe(id, (k) => (ks[id] = k, ks["both-a"] && ks["both-b"] && (comet.stop(), resolve(Object.keys(ks["both-a"]).sort() + " " + (ks["both-a"] === ks["both-b"])))));
		}
		await soon(0.1);
		await opened(comet);
		comet.stop();
		await comet.publish("both-a"), await comet.publish("both-b");
		comet.run();
	})`, "both-a,both-b true"},

	{"the callback gets whole seconds, as comet.php's client did, and last is precise", `new Promise(async (resolve) => {
		const comet = await client();
		await comet.publish("seconds"), await soon(0.1);
		comet.subscribe("seconds", (k) => {
			comet.stop();
			const last = comet.last("seconds");
			resolve([Number.isInteger(k.seconds), k.seconds === Math.floor(last), last % 1 > 0, comet.last("unknown")].join());
		});
		await opened(comet);
		comet.publish("seconds");
	})`, "true,true,true,"},

	{"last is known before anything was published to the page", `(async () => {
		const comet = await client();
		await comet.publish("known"), await soon(0.1);
		const before = (Date.now() / 1000);
		await opened(comet.subscribe("known", () => {}).subscribe("unknown", () => {}));
		comet.stop();
		return [Math.abs(before - comet.last("known")) < 60, comet.last("unknown")].join();
	})()`, "true,"},

	{"a callback that throws disturbs nobody", `new Promise(async (resolve) => {
		const comet = await client();
		let told = 0;
		comet.subscribe("thrown", () => { throw new Error("on purpose"); });
		comet.subscribe("thrown", () => ++told === 2 ? (comet.stop(), resolve("told twice")) : setTimeout(() => comet.publish("thrown"), 100));
		comet.on("open", () => { throw new Error("on purpose"); });
		await opened(comet);
		comet.publish("thrown");
	})`, "told twice"},

	{"what is unsubscribed is not called, and its neighbour is", `new Promise(async (resolve) => {
		const comet = await client(), told = new Set();
		const gone = () => told.add("gone");
		comet.subscribe("left", gone).subscribe("left", () => (comet.stop(), resolve([...told, "left"].join())));
		comet.subscribe("right", () => told.add("right"));
		comet.unsubscribe("left", gone).unsubscribe("right");
		await opened(comet);
		await comet.publish("right");
		comet.publish("left");
	})`, "left"},

	{"two runs are one, and so is the same callback twice", `new Promise(async (resolve) => {
		const comet = await client();
		let told = 0;
		const count = () => (told++, comet.publish("end"));
		await comet.publish("once"), await comet.publish("end"), await soon(0.1);
		comet.subscribe("once", count).subscribe("once", count).subscribe("end", () => (comet.stop(), resolve("told " + told)));
		await opened(comet.run());
		comet.publish("once");
	})`, "told 1"},

	{"it says when it opens and closes", `new Promise(async (resolve) => {
		const comet = await client(), said = [];
		const again = () => said.push("open") === 3 ? comet.stop() : (comet.stop(), comet.run());
		comet.on("open", again).on("close", () => said.push("close") === 4 && resolve(said.join())).subscribe("any", () => {}).run();
	})`, "open,close,open,close"},

	{"an address with a query of its own", `new Promise(async (resolve) => {
		const comet = (await client("/comet.php?site=7")).subscribe("asked", (k) => (comet.stop(), resolve(Object.keys(k).join())));
		await opened(comet);
		comet.publish("asked");
	})`, "asked"},

	{"another address while running takes effect at once", `new Promise(async (resolve) => {
		const comet = (await client("/nowhere.php")).subscribe("moved", (k) => (comet.stop(), resolve(Object.keys(k).join()))).run();
		await new Promise((lost) => comet.on("error", lost));
		comet.on("open", () => comet.publish("moved")).init("/comet.php");
	})`, "moved"},

	{"200 events, by POST", `new Promise(async (resolve) => {
		const comet = await client(), told = new Set(), methods = new Set(), ask = window.fetch;
		window.fetch = (url, options) => (methods.add(options.method ?? "GET"), ask(url, options));
		for (let i = 0; i < 200; i++) comet.subscribe("one-of-many-" + i, (k) => {
			Object.keys(k).forEach((id) => told.add(id));
			if (told.size === 200) comet.stop(), window.fetch = ask, resolve("all, by " + [...methods]);
		});
		await opened(comet);
		for (let i = 0; i < 200; i++) await comet.publish("one-of-many-" + i);
	})`, "all, by POST"},

	// The publication is complete before the callback returns, and before that there can be no next poll.
	{"a publication between two polls", `new Promise(async (resolve) => {
		const comet = await client();
		let told = 0;
		await comet.publish("between"), await soon(0.1);
		comet.subscribe("between", () => {
			if (++told === 3) return comet.stop(), resolve("told 3 times");
			const request = new XMLHttpRequest();
			request.open("GET", "/comet.php?publish=between", false);
			request.send();
		});
		await opened(comet);
		comet.publish("between");
	})`, "told 3 times"},

	{"two clients of one page share the poll, and both are told", `new Promise(async (resolve) => {
		const one = await client(), two = await client(), told = [];
		const tell = (comet, name) => () => (comet.stop(), told.push(name) === 2 && resolve(told.sort().join()));
		await opened(one.subscribe("shared", tell(one, "one")));
		await opened(two.subscribe("shared", tell(two, "two")));
		one.publish("shared");
	})`, "one,two"},

	{"who is stopped asks nothing more", `(async () => {
		const comet = await client(), asked = [], ask = window.fetch;
		window.fetch = (url, options) => (asked.push(options.signal), ask(url, options));
		comet.subscribe("stopped", () => {});
		await opened(comet);
		comet.stop();
		await soon(0.1);
		window.fetch = ask;
		return [asked.length > 0, asked.every((signal) => signal.aborted)].join();
	})()`, "true,true"},

	{"who has unsubscribed from everything asks nothing more, until the next subscription", `(async () => {
		const comet = await client(), asked = [], ask = window.fetch;
		window.fetch = (url, options) => (asked.push(options.signal), ask(url, options));
		await opened(comet.subscribe("kept-up", () => {}).subscribe("given-up", () => {}));
		await soon(0.1);
		const aborted = () => asked.every((signal) => signal.aborted);
		comet.unsubscribe("kept-up");
		await soon(0.1);
		const said = [aborted()];
		comet.unsubscribe("given-up");
		await soon(0.1);
		const before = asked.length;
		said.push(aborted());
		await soon(0.5);
		said.push(asked.length === before);
		window.fetch = ask;
		let told = false;
		comet.subscribe("given-up", () => { told = true; });
		while (!told) await comet.publish("given-up"), await soon(0.1);
		return comet.stop(), said.join();
	})()`, "false,true,true"},

	{"who has unsubscribed from everything goes on asking for others, and for those who come later", `(async () => {
		const one = await client(), two = await client(), told = [];
		await opened(one.subscribe("handed-on", () => {}));
		await opened(two.subscribe("handed-on", () => told.push("shared")));
		one.unsubscribe("handed-on");
		while (!told.length) await one.publish("handed-on"), await soon(0.1);
		one.stop(), two.stop();

		const three = await client(), four = await client();
		await opened(three.subscribe("taken-up", () => {}));
		await opened(four);
		three.unsubscribe("taken-up");
		await soon(0.1);
		four.subscribe("taken-up", () => told.push("later"));
		while (told.at(-1) !== "later") await three.publish("taken-up"), await soon(0.1);
		return three.stop(), four.stop(), [...new Set(told)].join();
	})()`, "shared,later"},

	{"data comes as it was published", `(async () => {
		const comet = await client(), values = [{ a: [1, null] }, "text", "42", 42, "", null, false, "</script>\u2028\n\n: x\r\ndata: 1", "ü", "x".repeat(50000)];
		let tell;
		comet.subscribe("values", (k, data) => tell?.(data), { data: true });
		await opened(comet);
		for (const value of values) {
			const told = new Promise((resolve) => { tell = resolve; });
			await comet.publish("values", value);
			const data = await told;
			if (JSON.stringify(data) !== JSON.stringify(value)) return "got " + JSON.stringify(data) + " for " + JSON.stringify(value);
		}
		return comet.stop(), "all";
	})()`, "all"},

	{"publishing without data leaves it as it is", `new Promise(async (resolve) => {
		const comet = await client(), told = [];
		await comet.publish("kept", { a: 1 }), await soon(0.1);
		comet.subscribe("kept", (k, data) => told.push(JSON.stringify(data)) === 2 && (comet.stop(), resolve(told.join())), { data: true });
		await opened(comet);
		comet.publish("kept");
	})`, `{"a":1},{"a":1}`},

	{"who wants data begins with what there is, and who does not, does not", `new Promise(async (resolve) => {
		const comet = await client(), told = [];
		await comet.publish("state", "old"), await comet.publish("bare"), await soon(0.1);
		const tell = (name) => (k, data) => {
			told.push([name, data, Object.keys(k)].join(" "));
			if (told.length === 2) comet.publish("state", "new");
			if (told.length === 4) comet.stop(), resolve(told.join());
		};
		comet.subscribe("state", tell("data"), { data: true }).subscribe("state", tell("time")).subscribe("bare", tell("bare"), { data: true });
		comet.subscribe("never", tell("never"), { data: true });
		await opened(comet);
	})`, "data old state,bare,bare  state,bare,data new state,time  state"},

	{"who comes later is told what there is by the one who asks", `new Promise(async (resolve) => {
		const one = await client(), two = await client(), told = [];
		await one.publish("before", 1), await soon(0.1);
		await opened(one.subscribe("before", (k, data) => told.push("one " + data)).subscribe("own", () => {}));
		const end = (k, data) => {
			told.push("two " + data);
			if (data === 1) return one.publish("before", 2);
			one.stop(), two.stop(), resolve(told.join());
		};
		two.subscribe("before", end, { data: true }).run();
	})`, "two 1,one undefined,two 2"},

	{"who wants data of an event already followed is told what there is", `new Promise(async (resolve) => {
		const comet = await client();
		await comet.publish("twice", "there"), await soon(0.1);
		let bare = 0;
		await opened(comet.subscribe("twice", () => bare++));
		comet.subscribe("twice", (k, data) => (comet.stop(), resolve(data + " " + bare)), { data: true });
	})`, "there 0"},

	{"who comes right after is told without a request", `new Promise(async (resolve) => {
		const one = await client(), two = await client();
		await one.publish("known-data", "known"), await soon(0.1);
		await new Promise((told) => one.subscribe("known-data", told, { data: true }).subscribe("no-data", () => {}, { data: true }).run());
		const end = (word) => (one.stop(), two.stop(), resolve(word));
		soon(10).then(() => end("not told"));
		let data;
		two.subscribe("known-data", (k, value) => { data = value; }, { data: true }).subscribe("no-data", () => {}, { data: true });
		await opened(two);
		end(data);
	})`, "known"},

	{"data is not older than its time", `new Promise(async (resolve) => {
		const comet = await client();
		const publish = (value) => new Promise(async (told) => {
			comet.subscribe("aged", told);
			await comet.publish("aged", value), await soon(0.1);
			comet.unsubscribe("aged", told);
		});
		const first = () => {};
		comet.subscribe("aged", first, { data: true }).subscribe("aged", () => {});
		await opened(comet);
		comet.unsubscribe("aged", first);
		for (const value of [1, 2, 3]) await publish(value);
		comet.subscribe("aged", (k, data) => (comet.stop(), resolve("" + data)), { data: true });
	})`, "3"},

	{"data published while stopped is told after the next run", `new Promise(async (resolve) => {
		const comet = await client(), told = [];
		comet.subscribe("away", (k, data) => told.push(data) === 1 && (comet.stop(), resolve(told.join())), { data: true });
		await opened(comet);
		comet.stop();
		await comet.publish("away", "first"), await comet.publish("away", "last");
		comet.run();
	})`, "last"},
}

func TestTheClientKeepsItsPromises(t *testing.T) {
	site := startPages(t)
	browser := startBrowser(t)
	w := openWindow(t, browser, site.URL+"/empty.html")
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			if got := evaluate[string](t, w, promise.script); got != promise.want {
				t.Errorf("got %q, want %q", got, promise.want)
			}
		})
	}
	byPolls := openWindow(t, browser, startPages(t).URL+"/empty.html?polls")
	for _, promise := range promises {
		t.Run(promise.name+", by polls", func(t *testing.T) {
			if got := evaluate[string](t, byPolls, promise.script); got != promise.want {
				t.Errorf("got %q, want %q", got, promise.want)
			}
		})
	}

	for _, id := range []string{"a&b=c", "50% + 1; #1?", "x[y", "Grüße, 世界", `"'<b>`, "constructor", "__proto__", "7"} {
		t.Run("an event named "+id, func(t *testing.T) {
			got := evaluate[string](t, w, fmt.Sprintf(`new Promise(async (resolve) => {
				const comet = await client(), id = %q;
				await comet.publish(id), await soon(0.1);
				comet.subscribe(id, (k, data) => data && (comet.stop(), resolve(Object.keys(k) + " at " + k[id] + " " + comet.last(id).toFixed(6) + " " + data)), { data: true });
				await opened(comet);
				comet.publish(id, "data");
			})`, id))
			stamp := stampOf(t, site, id)
			if want := id + " at " + stamp[:len(stamp)-len(".000000")] + " " + stamp + " data"; got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	}

	t.Run("a refused publication says why", func(t *testing.T) {
		var refusal struct{ Error string }
		answer := within(t, patience, polling(t, site, "publish=../news"))
		if err := json.Unmarshal([]byte(answer.body), &refusal); err != nil || refusal.Error == "" {
			t.Fatalf("the endpoint does not say why: %s", answer.body)
		}
		got := evaluate[string](t, w, `client().then((comet) => comet.publish("../news")).then(() => "published", (error) => error.message)`)
		if got != refusal.Error {
			t.Errorf("got %q, want %q", got, refusal.Error)
		}
	})
}

// The page swaps comet.php's client for this one, and nothing else.
func TestAPageWrittenForCometPHPWorks(t *testing.T) {
	site := startPages(t)
	w := openWindow(t, startBrowser(t), site.URL+"/old.html")
	for _, id := range []string{"first", "second"} {
		// It says nothing of when it has begun to listen.
		w.waitUntil(t, fmt.Sprintf(`(document.querySelector("a.%s").click(), told.some((k) => Number.isInteger(k.%[1]s)))`, id))
	}
	if got := evaluate[string](t, w, `typeof NovComet.init + typeof window.NovComet.run`); got != "functionfunction" {
		t.Errorf("NovComet is no global name: %s", got)
	}
	w.wantNoComplaints(t)
}

func TestTheClientIsAModuleToo(t *testing.T) {
	site := startPages(t)
	w := openWindow(t, startBrowser(t), site.URL+"/empty.html")
	got := evaluate[string](t, w, `import("/novcomet.js").then((all) =>
		[Object.keys(all).sort(), all.default === all.NovComet, typeof all.default.run, typeof window.NovComet].join())`)
	if want := "NovComet,default,true,function,undefined"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.wantNoComplaints(t)
}
