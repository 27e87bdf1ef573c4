-- $1 queue, $2 how many at most, $3 worker, $4 lease (ms), $5 deadline (ms). Materialised: else the planner may take more than asked.
with due as materialized (
  select id from civicum.job
  where status = 'pending' and queue = $1 and run_at <= now()
  order by priority desc, run_at, id
  limit $2
  for update skip locked
)
update civicum.job j
set status = 'running', attempt = attempt + 1, fence = floor(random() * 2147483647)::integer, worker_id = $3, started_at = now(),
  lease_until = now() + $4 * interval '1 ms', deadline = now() + $5 * interval '1 ms'
from due where j.id = due.id
returning j.id, j.fence, j.document_id, j.attempt, j.crashes
