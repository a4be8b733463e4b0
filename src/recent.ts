/**
 * Maps that keep only the newest entries.
 *
 * @module
 */

/** Sets an entry as the newest of the map. If the map then has more than `most`, deletes the oldest and returns it. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, most: number): readonly [K, V] | undefined {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return undefined;
  const [oldest] = map;
  if (oldest) map.delete(oldest[0]);
  return oldest;
}
