-- $1 jobs, $2 fences, $3 and $4 progress, $5 lease (ms). A job that is not in the answer is not ours any more.
update civicum.job j
set lease_until = now() + $5 * interval '1 ms', progress_done = held.done, progress_total = held.total
from unnest($1::bigint[], $2::integer[], $3::integer[], $4::integer[]) as held (id, fence, done, total)
where j.id = held.id and j.fence = held.fence and j.status = 'running'
returning j.id, j.cancel_requested
