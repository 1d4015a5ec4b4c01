// Who is who: the assignment of rows to columns with the least total cost, by shortest augmenting
// paths (Jonker and Volgenant 1987), as fer_cbam/video/assignment.py.

// cost: rows of finite numbers. Gives pairs [row, column], sorted by row; all of the shorter side
// is assigned.
export function assign(cost) {
  const [rows, columns] = [cost.length, cost[0]?.length ?? 0];
  if (rows > columns) {
    const flipped = Array.from({ length: columns }, (_, j) => cost.map((row) => row[j]));
    return assign(flipped).map(([column, row]) => [row, column]).sort(([a], [b]) => a - b);
  }
  const state = {
    rowPrice: Array(rows).fill(0),
    columnPrice: Array(columns).fill(0),
    owner: Array(columns).fill(-1), // row that a column is given to
  };
  for (let row = 0; row < rows; row += 1) augment(row, cost, state);
  return state.owner
    .flatMap((row, column) => (row < 0 ? [] : [[row, column]]))
    .sort(([a], [b]) => a - b);
}

// Give a column to one more row along the cheapest path; prices and owner change in place.
function augment(row, cost, { rowPrice, columnPrice, owner }) {
  const length = owner.map(() => Infinity); // of the cheapest path to each column
  const cameFrom = owner.map(() => -1);
  const done = owner.map(() => false);
  let [current, column, reached] = [row, -1, 0];
  while (current >= 0) {
    let nearest = -1;
    for (let j = 0; j < owner.length; j += 1) {
      if (done[j]) continue;
      const step = reached + cost[current][j] - rowPrice[current] - columnPrice[j];
      if (step < length[j]) [length[j], cameFrom[j]] = [step, column];
      if (nearest < 0 || length[j] < length[nearest]) nearest = j;
    }
    column = nearest;
    [done[column], reached, current] = [true, length[column], owner[column]];
  }
  rowPrice[row] += reached;
  owner.forEach((owned, j) => {
    if (done[j] && owned >= 0) rowPrice[owned] += reached - length[j];
    if (done[j]) columnPrice[j] -= reached - length[j];
  });
  while (column >= 0) {
    const previous = cameFrom[column];
    owner[column] = previous < 0 ? row : owner[previous];
    column = previous;
  }
}
