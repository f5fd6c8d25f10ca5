/// <reference types="novcomet/novcomet.js" />
NovComet.subscribe("news", (k) => { k.news.toFixed(); }).run();
