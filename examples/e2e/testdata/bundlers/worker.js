import NovComet from "novcomet";

NovComet.init("/comet.php").subscribe("bundled", (k, data) => postMessage(data), { data: true }).run();
