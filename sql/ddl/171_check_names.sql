-- platform: checks were renamed; a failure that is open stays open under the new name.
update platform.check_results as results
set check_name = renamed.new_name
from (
    values
    ('age_is_of_the_day', 'age_group_is_as_of_sale_date'),
    ('holds_what_its_select_says', 'matches_transform'),
    ('is_what_the_ddl_makes', 'matches_ddl'),
    ('keys_exist', 'keys_exist_in_dimension'),
    ('last_one_is_the_present', 'current_row_is_latest_version'),
    ('lines_are_of_the_latest_export', 'order_lines_come_from_latest_export'),
    ('parents_are_still_missing', 'rejects_wait_for_missing_parents'),
    ('rejects_are_at_fault', 'rejects_break_a_rule'),
    ('segments_follow_purchases', 'segments_match_purchases'),
    ('versions_in_force', 'versions_are_valid_on_sale_date')
) as renamed (old_name, new_name)
where results.check_name = renamed.old_name;
