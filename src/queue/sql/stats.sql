select q.queue,
  count(j.id) filter (where j.status = 'pending' and j.run_at <= now()) as waiting,
  count(j.id) filter (where j.status = 'pending' and j.run_at > now()) as delayed,
  count(j.id) filter (where j.status = 'running') as running,
  coalesce(extract(epoch from now() - min(j.run_at) filter (where j.status = 'pending' and j.run_at <= now())), 0)::float8 as oldest_wait,
  (select count(*) from civicum.job_archive a where a.queue = q.queue and a.state = 'done' and a.finished_at > now() - interval '1 hour') as done_last_hour,
  (select count(*) from civicum.job_archive a where a.queue = q.queue and a.state = 'dead') as dead,
  (select count(*) from civicum.job_archive a where a.queue = q.queue and a.state = 'quarantined') as quarantined,
  (select coalesce(percentile_cont(0.5) within group (order by extract(epoch from a.finished_at - a.started_at)), 0)::float8 from civicum.job_archive a
   where a.queue = q.queue and a.state = 'done' and a.finished_at > now() - interval '1 hour') as median_seconds
from (values ('ocr'), ('extract')) as q (queue) left join civicum.job j on j.queue = q.queue
group by q.queue order by q.queue desc
