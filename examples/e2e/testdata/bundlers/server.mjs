// Renders a component on the server, where the hook and the client do nothing.
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { useNovComet } from "novcomet/react";

const State = () => createElement("output", null, `${useNovComet("one").data}`);
console.log(renderToString(createElement(State)));
