-- SPDX-License-Identifier: 0BSD
-- A model made by edge-lasso 0.1.0: a view over the table "readings".
-- version 1.0.0, model_hash: c077b6892cfefd752758bb84bc085082de3911d2d5a57bed0f10999a7357405c
-- A reading that is NULL, no number or beyond the limit counts as missing, and its default is used.
CREATE VIEW "model" AS
SELECT "readings".*,
    (((-1.0) + ((7205759403792794.0 / 72057594037927936.0) * CASE WHEN "temperature" BETWEEN (-4503599627370496.0 * 281474976710656.0) AND (4503599627370496.0 * 281474976710656.0) THEN "temperature" ELSE (5770237022568448.0 / 281474976710656.0) END)) + (2.0 * CASE WHEN CAST("valve" AS TEXT) = 'open' THEN 1.0 ELSE 0.0 END)) AS "flow",
    CASE WHEN "temperature" BETWEEN (-10.0) AND 40.0 AND CAST("valve" AS TEXT) IN ('open') THEN 'ok' ELSE 'degraded' END AS "model status"
  FROM "readings";
