// Shows the data of an event in the title of the page. In Node it only loads the client.
import NovComet, { NovComet as named } from "novcomet";

if (globalThis.document) {
  NovComet.init("/comet.php").subscribe("bundled", (k, data) => { document.title = data; }, { data: true }).run();
} else {
  console.log(typeof NovComet.run, NovComet === named);
}
