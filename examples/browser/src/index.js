import { createClient } from "./client.js";

const NovComet = createClient();

export { NovComet, NovComet as default };
