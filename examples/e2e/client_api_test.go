package e2e_test

// apiPromises are the promises about the calls of a page. TestClient_KeepsPromises tests them.
var apiPromises = []promise{
	{"on returns a function that removes the listener", `(async () => {
		const comet = await client(), states = [];
		const remove = comet.on("open", () => states.push("removed"));
		comet.on("open", () => states.push("open"));
		remove();
		await opened(comet.subscribe("any", () => {}));
		return comet.stop(), states.join();
	})()`, "open"},

	{"the signal of a subscription removes the callback", `new Promise(async (resolve) => {
		const comet = await client(), called = [], controller = new AbortController();
		const { signal } = controller;
		comet.subscribe("signalled", () => called.push("aborted"), { signal });
		controller.abort();
		comet.subscribe("signalled", () => called.push("aborted before"), { signal });
		comet.subscribe("signalled", () => (comet.stop(), resolve([...called, "last"].join())));
		await opened(comet);
		comet.publish("signalled");
	})`, "last"},

	{"connected says whether there is a connection", `(async () => {
		const comet = await client("/nowhere.php"), states = [comet.connected];
		await new Promise((lost) => { comet.subscribe("any", () => {}).run().on("error", lost); });
		states.push(comet.connected);
		comet.init("/comet.php");
		await opened(comet);
		states.push(comet.connected);
		return [...states, comet.stop().connected].join();
	})()`, "false,false,true,false"},

	{"another client of the page is independent", `new Promise(async (resolve) => {
		const one = await client("/comet.php?site=1"), two = one.client("/comet.php?site=2", { stream: true }), got = [];
		one.subscribe("both", () => (one.stop(), got.push("one"), two.publish("both")));
		two.subscribe("both", () => got.includes("one") && (two.stop(), resolve(got.join())));
		await opened(one), await opened(two);
		one.publish("both");
	})`, "one"},

	{"a numeric id is an id", `new Promise(async (resolve) => {
		const comet = await client();
		comet.subscribe(2026, (k) => (comet.stop(), resolve([...Object.keys(k), comet.last(2026) > 0].join())));
		await opened(comet);
		comet.publish(2026);
	})`, "2026,true"},

	{"the endpoint may be a URL object", `(async () => {
		const comet = await client(new URL("/comet.php", location.href));
		return comet.publish("any");
	})().then(String)`, "true"},

	{"a relative endpoint does not follow the URL of the page", `(async () => {
		const comet = await client("comet.php"), before = location.href;
		history.pushState(null, "", "/deep/in/the/application");
		try {
			await opened(comet.subscribe("any", () => {}));
			return "" + await comet.publish("any");
		} catch (error) {
			return error.message;
		} finally {
			comet.stop();
			history.replaceState(null, "", before);
		}
	})()`, "true"},

	{"after stop in a callback no other callback is called, but by the next run", `(async () => {
		const comet = await client(), got = [];
		comet.subscribe("stopping", () => got.push("first") && comet.stop());
		comet.subscribe("stopping", () => got.push("second"));
		await opened(comet);
		const closed = new Promise((resolve) => comet.on("close", resolve));
		await comet.publish("stopping"), await closed, await sleep(0.1);
		got.push("run");
		comet.run();
		while (got.length < 3) await sleep(0.1);
		return comet.stop(), got.join();
	})()`, "first,run,second"},

	{"what JSON does not have cannot be published", `(async () => {
		const comet = await client(), cycle = {};
		cycle.cycle = cycle;
		const result = (data) => comet.publish("bad", data).then(() => "published", () => "");
		return (await Promise.all([() => {}, Symbol("no"), cycle, 1n].map(result))).join();
	})()`, ",,,"},

	// The request blocks the page, so the client has not heard of the publication.
	{"unsubscribing and subscribing at once misses nothing", `new Promise(async (resolve) => {
		const comet = await client(), got = [];
		const add = () => got.push("time") && got.length === 2 && end();
		const addData = (k, data) => data === 2 && got.push(data) && got.length === 2 && end();
		const end = () => (comet.stop(), resolve(got.sort().join()));
		await comet.publish("effect", 1), await sleep(0.1);
		comet.subscribe("effect", add).subscribe("effect", addData, { data: true });
		await opened(comet);
		const request = new XMLHttpRequest();
		request.open("POST", "/comet.php?publish=effect", false);
		request.send("2");
		comet.unsubscribe("effect").subscribe("effect", add).subscribe("effect", addData, { data: true });
	})`, "2,time"},

	{"what is published between unsubscribing and subscribing soon after is delivered", `(async () => {
		const comet = await client(), original = window.setTimeout, ends = [], first = () => {};
		await opened(comet.subscribe("gap", first));
		// unsubscribe leaves the event and ends it after a second, by a timer that the test fires.
		window.setTimeout = (end) => ends.push(end);
		comet.unsubscribe("gap", first);
		window.setTimeout = original;
		const before = comet.last("gap");
		await comet.publish("gap");
		while (comet.last("gap") === before) await sleep(0.05);
		await new Promise((called) => {
			comet.subscribe("gap", called);
			ends[0]();
		});
		return comet.stop(), "called";
	})()`, "called"},

	{"an event ends a second after its last callback was removed", `(async () => {
		const comet = await client(), original = window.setTimeout, ends = [], first = () => {}, second = () => {};
		await comet.publish("ending"), await sleep(0.1);
		await opened(comet.subscribe("ending", first));
		window.setTimeout = (end) => ends.push(end);
		comet.unsubscribe("ending", first).subscribe("ending", second).unsubscribe("ending", second);
		window.setTimeout = original;
		ends[0]();
		const goesOn = comet.last("ending") > 0;
		ends[1]();
		return comet.stop(), [goesOn, comet.last("ending")].join();
	})()`, "true,"},

	{"after init in a callback the other callbacks get nothing of the old endpoint", `(async () => {
		const comet = await client(), got = [];
		await comet.publish("moving", "data"), await sleep(0.1);
		const move = (k, data) => comet.init("/comet.php?moving");
		await new Promise((called) => {
			comet.subscribe("moving", move, { data: true });
			comet.subscribe("moving", (k, data) => called(got.push(data, comet.connected)), { data: true });
			comet.run();
		});
		return comet.stop(), got.join();
	})()`, "data,true"},

	{"after init with another endpoint the connection is open when that one answers", `(async () => {
		const comet = await client();
		await opened(comet.subscribe("any", () => {}));
		const states = [comet.connected, comet.init("/comet.php?another").connected];
		await opened(comet);
		return [...states, comet.connected, comet.stop().connected].join();
	})()`, "true,false,true,false"},

	{"a token that is loading is not loaded again after the one before has arrived", `(async () => {
		const comet = await client("/comet.php?loading");
		let arrive, calls = 0;
		comet.init(undefined, { token: () => new Promise((resolve) => { arrive = resolve; }) });
		comet.subscribe("any", () => {}).run();
		comet.init(undefined, { token: () => new Promise(() => { calls++; }) });
		arrive("before");
		await sleep(0);
		comet.init(undefined, { stream: !!location.search }); // joins the other tabs again, with the token
		return comet.stop(), "calls: " + calls;
	})()`, "calls: 1"},

	{"subscribing again does not send another request", `(async () => {
		const comet = await client(), original = window.fetch, callback = () => {};
		await opened(comet.subscribe("rendered", callback));
		await sleep(0.5);
		let requests = 0;
		window.fetch = (...all) => (requests++, original(...all));
		for (let i = 0; i < 5; i++) {
			comet.unsubscribe("rendered", callback).subscribe("rendered", callback);
			await sleep(0.05);
		}
		window.fetch = original;
		return comet.stop(), "" + requests;
	})()`, "0"},

	// Browsers allow at most 256 requests at a time that may outlive their page.
	{"many events can be published at once", `(async () => {
		const comet = await client(), publish = (_, i) => comet.publish("at-once-" + i, "x".repeat(i));
		return Promise.all(Array.from({ length: 400 }, publish)).then(String).catch(({ message }) => message);
	})().then((result) => "" + result.split(",").every((one) => one === "true"))`, "true"},

	{"a publication outlives the page if it has at most 64 KiB, 1 KiB included", `(async () => {
		const comet = await client(), original = window.fetch, outlives = [];
		window.fetch = async (url, { keepalive }) => (outlives.push(keepalive), new Response("true"));
		for (const size of [65536, 65537]) await comet.publish("large", "x".repeat(size - 1024 - '""'.length));
		window.fetch = original;
		return outlives.join();
	})()`, "true,false"},

	{"open means that the server has answered about all events", `(async () => {
		const one = await client("/comet.php?early"), two = await client("/comet.php?early");
		await one.publish("early"), await sleep(0.1);
		await opened(one.subscribe("other", () => {}));
		const channel = new BroadcastChannel("novcomet 3 " + new URL("/comet.php?early", location));
		const isOpen = opened(two.subscribe("early", () => {}));
		channel.postMessage({ at: [], k: [], d: [] }); // an answer about other events
		await isOpen;
		channel.close();
		return one.stop(), two.stop(), "" + (two.last("early") > 0);
	})()`, "true"},

	{"messages of other scripts disturb nobody", `new Promise(async (resolve) => {
		const one = await client("/comet.php?noise"), two = await client("/comet.php?noise"), got = new Set();
		const end = () => (one.stop(), two.stop(), resolve([...got].sort().join()));
		const add = (name) => () => got.add(name).size === 3 && end();
		await opened(one.subscribe("noise", add("one"))), await opened(two.subscribe("noise", add("two")));
		const channel = new BroadcastChannel("novcomet 3 " + new URL("/comet.php?noise", location));
		for (const message of [
			null, 5, "text", {}, { wish: 5 }, { tab: "x", wish: [null, 5, "", "0"] }, { at: 5 }, { at: [null] },
			{ at: [["noise", 7]] }, { at: [["noise"]], k: 5 }, { out: {} }, { error: 5 },
		]) channel.postMessage(message);
		await sleep(0.2);
		channel.close();
		got.clear();
		two.subscribe("later", add("later"));
		while (got.size < 3) await one.publish("noise"), await one.publish("later"), await sleep(0.1);
	})`, "later,one,two"},
}
