import { useNovComet } from "novcomet/react";

export const useText = (id: string): string | undefined => useNovComet<{ text: string }>(id).data?.text;
