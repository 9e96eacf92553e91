{# The model SCHEMA__TABLE is SCHEMA.TABLE. #}
{% macro generate_schema_name(custom_schema_name, node) -%} {{ node.name.split('__') | first }} {%- endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) -%} {{ node.name.split('__') | last }} {%- endmacro %}
