import { content, defineJob, image, text } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";
import { drawBars } from "./bars.ts";

export const drawSales = defineJob({
  name: "draw_sales",
  description: "Draw the sales of the last months",
  input: z.object({ months: z.int().min(1).max(12) }),
  output: z.object({ best: z.number() }),
  run: ({ months }) => {
    const sales = [0.4, 0.55, 0.3, 0.8, 0.65, 0.9, 0.2, 0.45, 0.7, 0.6, 0.85, 1].slice(-months);
    const best = Math.max(...sales);
    return content([text(`Sales of the last ${months} months:`), image(drawBars(sales), "image/png")], {
      structuredContent: { best },
    });
  },
});
