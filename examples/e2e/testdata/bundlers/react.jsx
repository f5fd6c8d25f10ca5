// Shows the states of the events that window.show names, in strict mode.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { NovComet } from "novcomet";
import { useNovComet } from "novcomet/react";

const options = { data: true };
const State = ({ id }) => {
  const { data, last } = useNovComet(id, options);
  return <output id={id}>{`${data} ${last > 0}`}</output>;
};

const App = () => {
  const [ids, show] = useState(["one", "two"]);
  const [renderings, render] = useState(0);
  Object.assign(window, { show, render, renderings, NovComet });
  return ids.map((id) => <State key={id} id={id} />);
};

NovComet.init("/comet.php");
createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
