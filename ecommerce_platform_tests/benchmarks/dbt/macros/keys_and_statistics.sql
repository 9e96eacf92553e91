{# The primary key, the unique constraints and the indexes that sql/ddl gives the table; see prepare.sql. #}
{% macro keys_and_statistics() %}
call public.baseline_put_back('{{ this.schema }}.{{ this.identifier }}');
analyze {{ this }};
{% endmacro %}
