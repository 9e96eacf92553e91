-- Baseline: the keys and indexes of staging, after its rows.
call public.baseline_put_back('staging.%');
