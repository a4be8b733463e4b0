/**
 * Maps that hold the newest entries only.
 *
 * @module
 */

/** Sets an entry as the map's newest. If there are more than `most` then, deletes the oldest one and returns it. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, most: number): readonly [K, V] | undefined {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return undefined;
  const [oldest] = map;
  if (oldest) map.delete(oldest[0]);
  return oldest;
}
