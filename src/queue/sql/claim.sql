-- $1 queue, $2 worker, $3 lease (ms), $4 deadline (ms). Materialised: else the planner may take more than asked. MOST, how many at
-- most, is written in as a number: of a parameter the planner knows nothing, and plans anew each time.
with due as materialized (
  select id from civicum.job
  where status = 'pending' and queue = $1 and run_at <= now()
  order by priority desc, run_at, id
  limit MOST
  for update skip locked
)
update civicum.job j
set status = 'running', attempt = attempt + 1, fence = floor(random() * 2147483647)::integer, worker_id = $2, started_at = now(),
  lease_until = now() + $3 * interval '1 ms', deadline = now() + $4 * interval '1 ms'
from due where j.id = due.id
returning j.id, j.fence, j.document_id, j.attempt, j.crashes
