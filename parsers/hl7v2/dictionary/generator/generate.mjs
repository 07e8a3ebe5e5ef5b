// Makes ../dictionary.txt from two npm packages, both MIT (NOTICE): hl7v2-dictionary gives segments
// and data types of 2.1 to 2.8, hl7-dictionary tables and message structures of 2.1 to 2.7.1. The
// former is built on the latter, but keeps a group's parts by name and so loses the second ROL of an
// ADT_A01, and drops tables and the lengths that 2.7 left open.
//
//   npm ci && npm run generate        in this folder; the build does not run it
//
// The format, one row a line, parts divided by tabs:
//   V  versions, oldest first; a mask below is a hexadecimal number with bit n for the n-th
//   R  a field or component: name, type, length, repetitions (0 any number), usage, table; numbered
//      from 0 in the order they come, and shared by whatever has the same
//   S  a segment: mask, name, text, the numbers of its fields' rows
//   T  a data type: likewise, with its components
//   M  a message structure: mask, name, text, definition as structure.h reads it
//   E  mask, event "ADT^A04", the structure it has
//   C  a table: number, text; then c, code, text for each of its codes
import tables_and_structures from 'hl7-dictionary';
import { dictionaries } from 'hl7v2-dictionary';

const versions = Object.keys(dictionaries);
const tables = tables_and_structures.tables;

// Structures end with 2.7.1 in the package; 2.8 has hardly changed them.
const structures_of = (version) =>
  (tables_and_structures.definitions[version] ?? tables_and_structures.definitions['2.7.1']).messages;

// A misspelling of the standard's own schema files is not taken over, and a name is a word.
const group_name = (name) => name.replace('TIIMING', 'TIMING').replace('/', '_');

const clean = (text) => (text ?? '').replace(/\s+/g, ' ').trim();

// -- Errata: where the packages differ from the standard -----------------------------------------

// OBX-5 is what OBX-2 says in every version, and OBX-2 is not repeated (the package gives it the
// number of its table). OBX-2 is conditional since 2.3: an OBX without a value has no type. OBX-4 is
// conditional; for 2.3.1 the package requires it, as the OBX of waveforms does (chapter 7).
function correct_field(version, segment, number, field) {
  if (segment === 'OBX' && number === 5) return { ...field, type: 'VARIES' };
  if (segment === 'OBX' && number === 2)
    return { ...field, rep: 1, len: 3, opt: version < '2.3' ? field.opt : 'C' };
  if (segment === 'OBX' && number === 4 && field.opt === 'R') return { ...field, opt: 'O' };
  // Quantity/Timing is required by no version but, in the package, by 2.3.
  if (field.type === 'TQ' && field.opt === 'R') return { ...field, opt: 'O' };
  if (segment === 'MSH' && number === 2) return { ...field, len: 5 };
  if (segment === 'FHS' && number === 2) return { ...field, len: 5 };
  if (segment === 'BHS' && number === 2) return { ...field, len: 5 };
  return field;
}

// Codes of versions before and after the one whose tables the package has, and a misprint of it.
const more_codes = {
  104: { '2.5.1': 'Release 2.5.1', '2.7': 'Release 2.7', '2.7.1': 'Release 2.7.1', '2.8': 'Release 2.8',
         '2.8.1': 'Release 2.8.1', '2.8.2': 'Release 2.8.2', '2.9': 'Release 2.9',
         '2.9.1': 'Release 2.9.1' },
  125: { CE: 'Coded Entry', CM: 'Composite', ID: 'Coded Value', IS: 'Coded Value', NA: 'Numeric Array',
         SI: 'Sequence ID', TS: 'Time Stamp', EI: 'Entity Identifier', HD: 'Hierarchic Designator',
         MA: 'Multiplexed Array', CNE: 'Coded with No Exceptions', CQ: 'Composite Quantity',
         DR: 'Date/Time Range', NR: 'Numeric Range', PL: 'Person Location' },
};

// -- Rows ----------------------------------------------------------------------------------------

const rows = new Map();

function table_of(version, kind, name, number, field) {
  if (field.table) return field.table;
  const other = tables_and_structures.definitions[version] ??
                tables_and_structures.definitions['2.7.1'];
  const parts = kind === 'S' ? other.segments[name]?.fields : other.fields[name]?.subfields;
  return parts?.[number - 1]?.table;
}

// 2.7 gives a maximum length to few fields, all others are for agreement (2.5.5); the packages fill
// them up with those of 2.6.
function length_of(version, kind, name, number, field) {
  if (version < '2.7') return field.len;
  const other = tables_and_structures.definitions[version] ??
                tables_and_structures.definitions['2.7.1'];
  const parts = kind === 'S' ? other.segments[name]?.fields : other.fields[name]?.subfields;
  return parts?.[number - 1]?.len;
}

function row_number(version, kind, name, number, given) {
  const field = kind === 'S' ? correct_field(version, name, number, given) : given;
  const table = table_of(version, kind, name, number, field);
  const repetitions = field.rep === 'infinite' ? 0 : field.rep ?? 1;
  const length = length_of(version, kind, name, number, field);
  const row = [clean(field.desc), field.type.toUpperCase(), length ?? '', repetitions,
               field.opt ?? 'O', table ? String(table).padStart(4, '0') : ''].join('\t');
  if (!rows.has(row)) rows.set(row, rows.size);
  return rows.get(row);
}

function part_numbers(version, kind, name, parts) {
  const highest = Math.max(0, ...Object.keys(parts ?? {}).map(Number));
  const numbers = [];
  for (let number = 1; number <= highest; ++number) {
    const part = parts[number] ?? { desc: 'Not used', type: 'ST', opt: 'O', rep: 0 };
    numbers.push(row_number(version, kind, name, number, part));
  }
  return numbers.join(' ');
}

// A name that comes twice is numbered, as the standard does from 2.7 on (AUTHORIZATION_CONTACT2).
function unique(name, seen) {
  const count = (seen.get(name) ?? 0) + 1;
  seen.set(name, count);
  return count === 1 ? name : `${name}${count}`;
}

// A structure as text: "MSH [{SFT}] {ORDER: ORC [OBR]} (END: ZZZ)". Of a choice each segment may come.
function definition(nodes, seen = new Map()) {
  return nodes
    .flatMap((node) => {
      if (node.compounds || node.name.includes(',')) {
        const names = (node.compounds ?? node.name.split(',')).map((each) => each.name ?? each);
        return names.filter((name) => /^[A-Z][A-Z0-9]{2}$/.test(name))
          .map((name) => (node.max === 1 ? `[${name}]` : `[{${name}}]`));
      }
      if (!node.children && !/^[A-Z][A-Z0-9]{2}$/.test(node.name)) return [];
      if (node.children && node.children.length === 0) return [];
      const name = node.children ? unique(group_name(node.name), seen) : node.name;
      let text = node.children ? `${name}: ${definition(node.children, seen)}` : name;
      if (node.max !== 1) text = `{${text}}`;
      if (node.min === 0) text = `[${text}]`;
      if (node.children && node.min === 1 && node.max === 1) text = `(${text})`;
      return [text];
    })
    .join(' ');
}

// -- Everything ----------------------------------------------------------------------------------

const masks = new Map(); // line without mask -> mask
const note = (version, key) =>
  masks.set(key, (masks.get(key) ?? 0) | (1 << versions.indexOf(version)));

for (const version of versions) {
  const { segments, types } = dictionaries[version];
  for (const [name, segment] of Object.entries(segments)) {
    note(version, `S\t${name}\t${clean(segment.desc)}\t${part_numbers(version, 'S', name, segment.fields)}`);
  }
  for (const [name, type] of Object.entries(types)) {
    note(version, `T\t${name}\t${clean(type.desc)}\t${part_numbers(version, 'T', name, type.fields)}`);
  }
  const structures = structures_of(version);
  for (const [name, structure] of Object.entries(structures)) {
    const text = definition(structure.segments.segments);
    if (text) note(version, `M\t${name}\t${clean(structure.desc)}\t${text}`);
  }
  // Table 0354 names the events of each structure, from 2.3.1 on; before, each event is its own.
  for (const [structure, events] of Object.entries(tables[354].values)) {
    if (version < '2.3.1' || !(structure in structures)) continue;
    const type = structure.split('_')[0];
    for (const event of events.match(/\b[A-Z][A-Z0-9]{2}\b/g) ?? []) {
      if (`${type}_${event}` !== structure) note(version, `E\t${type}^${event}\t${structure}`);
    }
  }
}

const lines = [`V\t${versions.join(' ')}`];
for (const row of rows.keys()) lines.push(`R\t${row}`);
for (const kind of ['S', 'T', 'M', 'E']) {
  const of_kind = [...masks].filter(([key]) => key.startsWith(kind));
  of_kind.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, mask] of of_kind) lines.push(`${kind}\t${mask.toString(16)}${key.slice(1)}`);
}
for (const number of Object.keys(tables).map(Number).sort((a, b) => a - b)) {
  const values = { ...tables[number].values, ...more_codes[number] };
  lines.push(`C\t${String(number).padStart(4, '0')}\t${clean(tables[number].desc)}`);
  for (const code of Object.keys(values).sort()) {
    if (clean(code)) lines.push(`c\t${clean(code)}\t${clean(values[code])}`);
  }
}
process.stdout.write(lines.join('\n') + '\n');
