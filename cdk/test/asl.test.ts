import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from '../app/asl';

test('anchors and merge keys are resolved, and what holds them is dropped', () => {
  const text = `
x-task: &task { Type: Task, Retry: [&retrier { MaxAttempts: 6 }] }
StartAt: Read
States:
  Read: { <<: *task, Comment: Reads., Next: Done? }
  Read again: { Retry: [*retrier], <<: [*task, { Type: Pass, End: true }] }
  Done?:
    Condition: >-
      {% $a = 'B'
      and $c %}
`;

  assert.deepEqual(JSON.parse(toJson(text)), {
    StartAt: 'Read',
    States: {
      Read: { Type: 'Task', Retry: [{ MaxAttempts: 6 }], Comment: 'Reads.', Next: 'Done?' },
      'Read again': { Type: 'Task', Retry: [{ MaxAttempts: 6 }], End: true },
      'Done?': { Condition: "{% $a = 'B' and $c %}" },
    },
  });
});

test('a text that is no definition is an error', () => {
  for (const text of ['States: [', '- States', 'States: *nothing', '']) {
    assert.throws(() => toJson(text), Error, text);
  }
});
