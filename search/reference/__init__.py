"""The slow, plain search and interpreter that faster engines are tested against."""
